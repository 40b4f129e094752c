"""Volumes of the node: a directory for each claim that the scheduler placed here."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

PROVISIONER = "dev.integration-operator/local"
SELECTED = "volume.kubernetes.io/selected-node"


def wanted(claim: Mapping[str, Any], node: str) -> bool:
    """Whether a claim waits for a volume on this node."""
    meta = claim["metadata"]
    annotations = meta.get("annotations") or {}
    return (
        (claim.get("status") or {}).get("phase") == "Pending"
        and annotations.get("volume.kubernetes.io/storage-provisioner") == PROVISIONER
        and annotations.get(SELECTED) == node
        and not meta.get("deletionTimestamp")
    )


def volume(claim: Mapping[str, Any], node: str, folder: Path) -> dict[str, Any]:
    """The PersistentVolume for a claim; its directory is made here."""
    meta, spec = claim["metadata"], claim["spec"]
    name = f"local-{meta['uid']}"
    path = folder / name
    path.mkdir(parents=True, exist_ok=True)
    path.chmod(0o777)
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": name, "annotations": {"pv.kubernetes.io/provisioned-by": PROVISIONER}},
        "spec": {
            "capacity": {"storage": spec["resources"]["requests"]["storage"]},
            "accessModes": spec["accessModes"],
            "storageClassName": spec["storageClassName"],
            "persistentVolumeReclaimPolicy": "Delete",
            "claimRef": {"name": meta["name"], "namespace": meta["namespace"], "uid": meta["uid"]},
            "hostPath": {"path": str(path), "type": "Directory"},
            "nodeAffinity": {
                "required": {
                    "nodeSelectorTerms": [
                        {"matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "In", "values": [node]}]}
                    ]
                }
            },
        },
    }


def released(volume: Mapping[str, Any], folder: Path) -> bool:
    """Whether a volume is one of ours here whose claim is gone."""
    path = ((volume.get("spec") or {}).get("hostPath") or {}).get("path", "")
    return (volume.get("status") or {}).get("phase") == "Released" and path.startswith(f"{folder}/")


def remove(volume: Mapping[str, Any]) -> None:
    """Its directory, with all that was written."""
    shutil.rmtree(volume["spec"]["hostPath"]["path"], ignore_errors=True)
