//go:build client

// Command cmp-client asks config management plugins as Argo CD's repo server does, with the repo server's own code.
//
//	cmp-client [flags] generate|match|parameters|check  one request to the plugin that listens on --socket
//	cmp-client [flags] render < REQUEST                 what the repo server makes of a repository
//
// The first four print the answer as it came. For render, REQUEST is a ManifestRequest of the repo server in JSON; its
// source may name a plugin, of those whose sockets are beside --socket, or be anything else that Argo CD renders, with
// the helm and kustomize of PATH.
//
// The answer is a JSON line on standard output. Exit codes: 0 there is one, 1 there is an error, on standard error;
// 2 usage.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/golang/protobuf/ptypes/empty"
	log "github.com/sirupsen/logrus"
	"google.golang.org/grpc"
	"google.golang.org/grpc/status"
	"k8s.io/apimachinery/pkg/api/resource"

	plugin "github.com/argoproj/argo-cd/v3/cmpserver/apiclient"
	"github.com/argoproj/argo-cd/v3/common"
	"github.com/argoproj/argo-cd/v3/pkg/apis/application/v1alpha1"
	"github.com/argoproj/argo-cd/v3/reposerver/apiclient"
	"github.com/argoproj/argo-cd/v3/reposerver/repository"
	apppath "github.com/argoproj/argo-cd/v3/util/app/path"
	"github.com/argoproj/argo-cd/v3/util/cmp"
	"github.com/argoproj/argo-cd/v3/util/git"
)

type list []string

func (l *list) String() string     { return fmt.Sprint(*l) }
func (l *list) Set(s string) error { *l = append(*l, s); return nil }

type client struct {
	socket, repo, appPath, plugin string
	env, exclude                  list
}

// addPlugin adds to the environment what the repo server adds for the plugin section of a source.
func (c *client) addPlugin() error {
	section := v1alpha1.ApplicationSourcePlugin{}
	if err := json.Unmarshal([]byte(c.plugin), &section); err != nil {
		return err
	}
	var env v1alpha1.Env
	for _, text := range c.env {
		entry, err := v1alpha1.NewEnvEntry(text)
		if err != nil {
			return err
		}
		env = append(env, entry)
	}
	for _, entry := range section.Env {
		c.env = append(c.env, "ARGOCD_ENV_"+entry.Name+"="+env.Envsubst(entry.Value))
	}
	parameters, err := section.Parameters.Environ()
	c.env = append(c.env, parameters...)
	return err
}

// call sends one request to the plugin, by the name of the command.
func (c *client) call(ctx context.Context, command string) (any, error) {
	if c.plugin != "" {
		if err := c.addPlugin(); err != nil {
			return nil, err
		}
	}
	connection, service, err := plugin.NewConfigManagementPluginClientSet(c.socket).NewConfigManagementPluginClient()
	if err != nil {
		return nil, err
	}
	defer connection.Close()
	switch command {
	case "generate":
		return send(ctx, c, service.GenerateManifest)
	case "match":
		return send(ctx, c, service.MatchRepository)
	case "parameters":
		return send(ctx, c, service.GetParametersAnnouncement)
	case "check":
		return service.CheckPluginConfiguration(ctx, &empty.Empty{})
	default:
		return nil, fmt.Errorf("there is no command %q", command)
	}
}

type stream[R any] interface {
	cmp.StreamSender
	CloseAndRecv() (R, error)
}

// send opens a stream, sends the repository over it, and waits for the answer.
func send[S stream[R], R any](
	ctx context.Context, c *client, open func(context.Context, ...grpc.CallOption) (S, error),
) (answer R, err error) {
	s, err := open(ctx)
	if err != nil {
		return answer, err
	}
	if err := cmp.SendRepoStream(ctx, filepath.Join(c.repo, c.appPath), c.repo, s, c.env, c.exclude); err != nil {
		return answer, err
	}
	return s.CloseAndRecv()
}

// render does what the repo server does once it has checked out the revision of a request.
func (c *client) render(ctx context.Context, input io.Reader) (any, error) {
	request := &apiclient.ManifestRequest{}
	if err := json.NewDecoder(input).Decode(request); err != nil {
		return nil, err
	}
	if request.Repo == nil || request.ApplicationSource == nil {
		return nil, errors.New("the request has no repo, or no applicationSource")
	}
	wire, err := request.Marshal() // protobuf cannot tell an empty list from none: neither may the request
	if err != nil {
		return nil, err
	}
	request = &apiclient.ManifestRequest{}
	if err := request.Unmarshal(wire); err != nil {
		return nil, err
	}
	if c.socket != "" {
		os.Setenv(common.EnvPluginSockFilePath, filepath.Dir(c.socket))
	}
	if err := apppath.CheckOutOfBoundsSymlinks(c.repo, ".git"); err != nil {
		return nil, err
	}
	directory, err := apppath.Path(c.repo, request.ApplicationSource.Path)
	if err != nil {
		return nil, err
	}
	limit := resource.MustParse("10M") // the default of the repo server
	return repository.GenerateManifests(ctx, directory, c.repo, request.Revision, request, false, git.NoopCredsStore{},
		limit, nil, repository.WithCMPTarExcludedGlobs(c.exclude))
}

func main() {
	c := &client{}
	flag.StringVar(&c.socket, "socket", "", "`path` of the plugin's socket")
	flag.StringVar(&c.repo, "repo", ".", "`directory` of the repository")
	flag.StringVar(&c.appPath, "app-path", ".", "the application's `directory` in it; render has it in its request")
	flag.Var(&c.env, "env", "`NAME=VALUE` of an environment entry; render makes its own")
	flag.StringVar(&c.plugin, "plugin", "", "`JSON` of a source's plugin section, whose env and parameters become entries too")
	flag.Var(&c.exclude, "exclude", "`glob` of what is not sent")
	timeout := flag.Duration("timeout", time.Minute, "`duration` of the whole; the callers of the repo server set it too")
	flag.Parse()
	if flag.NArg() != 1 {
		fmt.Fprintln(os.Stderr, "usage: cmp-client [flags] generate|match|parameters|check|render")
		os.Exit(2)
	}
	log.SetOutput(io.Discard) // only the error itself belongs on standard error
	os.Setenv(common.EnvLogLevel, "error")

	ctx, cancel := context.WithTimeout(context.Background(), *timeout)
	defer cancel()
	var answer any
	var err error
	if c.repo, err = filepath.Abs(c.repo); err == nil {
		if command := flag.Arg(0); command == "render" {
			answer, err = c.render(ctx, os.Stdin)
		} else {
			answer, err = c.call(ctx, command)
		}
	}
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(answer)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, status.Convert(err).Message())
		os.Exit(1)
	}
}
