"""References to other objects, selectors, and the consent of who is referred to."""

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from integration_operator.core.model.rules import Model, Rule
from integration_operator.core.model.text import DataKey, LabelKey, LabelMap, LabelValue, Name, Namespace


class LocalRef(Model):
    """An object of the same namespace, by name."""

    name: Name = Field(description="Name of the object, in the same namespace.")


class Ref(Model):
    """An object by name, in another namespace only where its owner consents."""

    name: Name = Field(description="Name of the object.")
    namespace: Namespace | None = Field(
        default=None, description="Namespace of the object; this object's own when absent."
    )


class KeyRef(Model):
    """One entry of a Secret (or, where said, a ConfigMap) of the same namespace."""

    name: Name = Field(description="Name of the Secret.")
    key: DataKey = Field(description="Key in its data.")


class CaRef(Model):
    """Certificates of authorities, as PEM, in a Secret or ConfigMap of the same namespace."""

    kind: Literal["Secret", "ConfigMap"] = Field(default="Secret", description="Where it is kept.")
    name: Name = Field(description="Name of the Secret or ConfigMap.")
    key: DataKey = Field(default="ca.crt", description="Key in its data.")


class LabelRequirement(Model):
    """As `matchExpressions` of a Kubernetes label selector."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "(self.operator in ['In', 'NotIn']) == (has(self.values) && size(self.values) > 0)",
            "In and NotIn need values; Exists and DoesNotExist take none",
            lambda r: (r.operator in ("In", "NotIn")) == bool(r.values),
            ".values",
        ),
    )
    key: LabelKey = Field(description="The label.")
    operator: Literal["In", "NotIn", "Exists", "DoesNotExist"] = Field(description="How `values` are compared.")
    values: Annotated[list[LabelValue], Field(max_length=64)] = Field(
        default_factory=list, description="Values for In and NotIn."
    )


class LabelSelector(Model):
    """A Kubernetes label selector; all requirements must hold."""

    match_labels: LabelMap = Field(default_factory=dict, description="Labels that must be equal.")
    match_expressions: Annotated[list[LabelRequirement], Field(max_length=16)] = Field(
        default_factory=list, description="Further requirements."
    )

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether the labels satisfy every requirement; an empty selector matches all."""
        return all(labels.get(k) == v for k, v in self.match_labels.items()) and all(
            _holds(r, labels) for r in self.match_expressions
        )


def _holds(requirement: LabelRequirement, labels: Mapping[str, str]) -> bool:
    match requirement.operator:
        case "In":
            return labels.get(requirement.key) in requirement.values
        case "NotIn":
            return labels.get(requirement.key) not in requirement.values
        case "Exists":
            return requirement.key in labels
        case "DoesNotExist":
            return requirement.key not in labels


class AllowedNamespaces(Model):
    """The consent of an owner: whose objects may refer to this one."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            cel="(self.from == 'Selector') == has(self.selector)",
            message="selector goes with from: Selector, and only with it",
            check=lambda m: (m.from_ == "Selector") == (m.selector is not None),
        ),
    )
    from_: Literal["Same", "All", "Selector"] = Field(
        default="Same",
        alias="from",
        description="Same: only this namespace. All: any. Selector: by labels of the namespace.",
    )
    selector: LabelSelector | None = Field(default=None, description="Which namespaces, by their labels.")

    def permit(self, own: str, other: str, labels_of_other: Mapping[str, str]) -> bool:
        """Whether objects of namespace `other` may refer to an object in namespace `own`."""
        if own == other or self.from_ == "All":
            return True
        return self.from_ == "Selector" and self.selector is not None and self.selector.matches(labels_of_other)
