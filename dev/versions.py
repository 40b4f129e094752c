"""What the local cluster is made of, pinned; and where it is kept."""

from pathlib import Path

KUBERNETES = "v1.37.2"
ETCD = "v3.7.3"
COREDNS = "v1.15.0"
HELM = "v3.22.0"
ENVOY_GATEWAY = "v1.9.1"
GATEWAY_API = "v1.6.1"
ENVOY = "1.40.0"
NATS = "2.15.1"
KEYCLOAK = "26.4.0"

CACHE = Path.home() / ".cache" / "integration-operator"
ROOT = Path(__file__).resolve().parent.parent

KUBE_BIN = CACHE / "bin" / f"kubernetes-{KUBERNETES}"
ETCD_BIN = CACHE / "bin" / f"etcd-{ETCD}" / "etcd"
COREDNS_BIN = CACHE / "bin" / f"coredns-{COREDNS}" / "coredns"
HELM_BIN = CACHE / "bin" / f"helm-{HELM}" / "helm"
ENVOY_GATEWAY_BIN = CACHE / "bin" / f"envoy-gateway-{ENVOY_GATEWAY}" / "envoy-gateway"
KUBECTL = KUBE_BIN / "kubectl"
