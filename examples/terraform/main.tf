terraform {
  required_providers {
    helm = {
      source  = "hashicorp/helm"
      version = "~> 3.0"
    }
  }
}

provider "helm" {
  kubernetes = {
    config_path = "~/.kube/config"
  }
}

resource "helm_release" "agents" {
  name  = "agents"
  chart = "${path.module}/../chart"

  postrender = {
    binary_path = "sandbox-postrenderer"
    # Somebody looked: no table knows what this image runs as.
    args = ["--image-uid", "registry.example.com/search/agent:2.1=4242"]
  }
}
