"""Options that several verbs share, named as kubectl names them."""

from enum import StrEnum
from typing import Annotated

import typer


class Output(StrEnum):
    """What `plan` prints."""

    TREE = "tree"
    YAML = "yaml"
    JSON = "json"


class Report(StrEnum):
    """What `status` and `doctor` print."""

    TEXT = "text"
    JSON = "json"


Context = Annotated[
    str | None, typer.Option("--context", metavar="NAME", help="Context of the kubeconfig; its current one by default.")
]
Kubeconfig = Annotated[
    str | None,
    typer.Option("--kubeconfig", metavar="FILE", help="The kubeconfig; $KUBECONFIG or ~/.kube/config by default."),
]
Namespace = Annotated[
    str | None, typer.Option("--namespace", "-n", metavar="NAMESPACE", help="Namespace; the context's own by default.")
]
