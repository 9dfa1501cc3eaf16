"""Applies the Kubernetes manifests to a real control plane on this machine."""
