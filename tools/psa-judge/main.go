// Command psa-judge asks the Pod Security admission's own evaluator about pods.
//
// It reads JSON lines from standard input, each a Pod or an object with its metadata and spec, and prints a JSON line
// for each: {"name", "namespace", "allowed", "reasons": [{"check", "reason", "detail"}]}.
//
// Exit codes: 0 every pod was judged, whatever the verdicts; 2 usage or malformed input, told in a line on standard error.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
	kjson "sigs.k8s.io/json"
)

type reason struct {
	Check  policy.CheckID `json:"check"`
	Reason string         `json:"reason"`
	Detail string         `json:"detail"`
}

type verdict struct {
	Name      string   `json:"name"`
	Namespace string   `json:"namespace"`
	Allowed   bool     `json:"allowed"`
	Reasons   []reason `json:"reasons"`
}

// judge holds the evaluator and, since its results do not name their check, the check that each of them came from.
type judge struct {
	evaluator policy.Evaluator
	level     api.LevelVersion
	asked     []policy.CheckID
}

func newJudge(level api.LevelVersion) (*judge, error) {
	j := &judge{level: level}
	checks := policy.DefaultChecks()
	for _, check := range checks {
		for i := range check.Versions {
			original := check.Versions[i].CheckPod
			check.Versions[i].CheckPod = func(meta *metav1.ObjectMeta, spec *corev1.PodSpec) policy.CheckResult {
				j.asked = append(j.asked, check.ID)
				return original(meta, spec)
			}
		}
	}
	evaluator, err := policy.NewEvaluator(checks, nil)
	j.evaluator = evaluator
	return j, err
}

func (j *judge) verdict(pod *corev1.Pod) verdict {
	j.asked = j.asked[:0]
	v := verdict{Name: pod.Name, Namespace: pod.Namespace, Allowed: true, Reasons: []reason{}}
	for i, result := range j.evaluator.EvaluatePod(j.level, &pod.ObjectMeta, &pod.Spec) {
		if !result.Allowed {
			v.Allowed = false
			v.Reasons = append(v.Reasons, reason{j.asked[i], result.ForbiddenReason, result.ForbiddenDetail})
		}
	}
	return v
}

// readPod reads as the API server does: field names are case-sensitive, unknown fields are ignored.
func readPod(line []byte) (*corev1.Pod, error) {
	pod := &corev1.Pod{}
	if err := kjson.UnmarshalCaseSensitivePreserveInts(line, pod); err != nil {
		return nil, err
	}
	if pod.Kind != "" && pod.Kind != "Pod" {
		return nil, fmt.Errorf("kind is %s, not Pod", pod.Kind)
	}
	if len(pod.Spec.Containers) == 0 { // the evaluator would allow it
		return nil, errors.New("spec.containers is missing or empty")
	}
	return pod, nil
}

func run(level api.LevelVersion, stdin io.Reader, stdout io.Writer) error {
	j, err := newJudge(level)
	if err != nil {
		return err
	}
	in, out := bufio.NewReader(stdin), bufio.NewWriter(stdout)
	defer out.Flush()
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	for number := 1; ; number++ {
		line, err := in.ReadBytes('\n')
		if err == io.EOF && len(line) == 0 {
			return nil
		} else if err != nil && err != io.EOF {
			return err
		}
		pod, err := readPod(line)
		if err != nil {
			return fmt.Errorf("line %d: %w", number, err)
		}
		if err := encoder.Encode(j.verdict(pod)); err != nil {
			return err
		}
		if in.Buffered() == 0 { // a caller may wait for the answer before it sends the next pod
			if err := out.Flush(); err != nil {
				return err
			}
		}
	}
}

func main() {
	levelFlag := flag.String("level", "restricted", "`level`: privileged, baseline or restricted")
	versionFlag := flag.String("version", "latest", "`version` of the standard: latest or v1.N")
	flag.Parse()

	level, err := api.ParseLevel(*levelFlag)
	if err != nil {
		fail(fmt.Errorf("-level %w", err))
	}
	version, err := api.ParseVersion(*versionFlag)
	if err != nil {
		fail(fmt.Errorf("-version %w", err))
	}
	if flag.NArg() > 0 {
		fail(fmt.Errorf("unexpected argument %q: pods are read from standard input", flag.Arg(0)))
	}
	if err := run(api.LevelVersion{Level: level, Version: version}, os.Stdin, os.Stdout); err != nil {
		fail(err)
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "psa-judge:", err)
	os.Exit(2)
}
