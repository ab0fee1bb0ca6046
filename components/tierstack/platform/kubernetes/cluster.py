"""A namespace of a cluster as components use it: objects from manifests, and secrets that never stand in plaintext.

Components describe objects as manifests, as the Kubernetes reference writes them; the same pure functions then serve
the engine and the tests. Objects are registered under the provider's own type tokens without importing its large SDK.
"""

import dataclasses
import functools
import importlib.metadata
import re
import uuid
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Any, cast

import pulumi
import pulumi_random as random

from tierstack.core.errors import ArgumentError
from tierstack.links import SecretRef
from tierstack.platform import DataProtection, Platform, own_state
from tierstack.platform.asked import names_of
from tierstack.platform.kubernetes import gitops, network, pod_settings, secrets
from tierstack.platform.kubernetes.defaults import written_out
from tierstack.platform.kubernetes.foreign_namespace import foreign_namespace
from tierstack.platform.kubernetes.gitops import Step
from tierstack.platform.kubernetes.manifest import Manifest
from tierstack.platform.kubernetes.plan import Planned
from tierstack.platform.kubernetes.rendered_folder import lost
from tierstack.platform.revision import revision_of
from tierstack.platform.shared import (
    current_run,
    has_engine,
    once_per_run,
    place_key,
    platform_key,
    provider_name,
    shared_options,
    subject,
    waiting,
)

# The provider of the pulumi-kubernetes that is installed: a program that has another version has one provider then.
_PROVIDER = pulumi.ResourceOptions(version=importlib.metadata.version("pulumi-kubernetes"))


class Object(pulumi.CustomResource):
    """One Kubernetes object, from its manifest."""

    def __init__(self, name: str, manifest: Mapping[str, Any], opts: pulumi.ResourceOptions) -> None:
        api_version = cast(str, manifest["apiVersion"])
        group = api_version if "/" in api_version else f"core/{api_version}"
        super().__init__(
            f"kubernetes:{group}:{manifest['kind']}",
            name,
            dict(manifest),
            pulumi.ResourceOptions.merge(opts, _PROVIDER),
        )


OWNER = "tierstack.dev/owner"
"""Annotation of the namespace: the id of the state that it belongs to."""


def forced(manifest: Manifest) -> Manifest:
    """`manifest`, applied also where another state has set its fields."""
    metadata = manifest["metadata"]
    annotations = {**metadata.get("annotations", {}), "pulumi.com/patchForce": "true"}
    return {**manifest, "metadata": {**metadata, "annotations": annotations}}


def _refuse_lost_folder(render_to: str) -> None:
    """Raise RunError where an update would leave out manifests that the state calls written; a preview only warns,
    because what would change does not depend on the folder."""
    if not (problem := lost(render_to, own_state.resources() or {}, pulumi.get_stack())):
        return
    if not pulumi.runtime.is_dry_run():
        raise pulumi.RunError(problem)
    pulumi.log.warn(problem)


class Cluster:
    """A namespace of a cluster during a run; `component` is the first that asked for it, whose caller's options hold
    for what all share."""

    def __init__(
        self, platform: Platform, component: pulumi.Resource | None = None, given: pulumi.ProviderResource | None = None
    ) -> None:
        self.platform = platform
        self._component, self._given = component, given
        self._key = platform_key(platform, given)
        self.provider = given or once_per_run(lambda _: self._provider(), ("provider", self._key))
        self._before: list[pulumi.Resource] = once_per_run(lambda _: [], ("before", self._key))

    def after(self, resource: pulumi.Resource) -> None:
        """Let every object that is registered from now on wait for `resource`, such as the operators it needs."""
        self._before.append(resource)

    def _provider(self) -> pulumi.ProviderResource | None:
        platform = self.platform
        settings = {"renderYamlToDirectory": platform.render_to, "context": platform.context}
        given = {key: value for key, value in settings.items() if value is not None}
        if not given:
            return None
        if platform.render_to:
            _refuse_lost_folder(platform.render_to)
        opts = pulumi.ResourceOptions.merge(shared_options(self._component), _PROVIDER)
        return pulumi.ProviderResource("kubernetes", self._shared_name("kubernetes"), given, opts)

    def _shared_name(self, kind: str) -> str:
        """The logical name of what all components of the platform share."""
        platform = self.platform
        name = f"{platform.name}-{kind}"
        which = platform.context or (platform.render_to or "").rstrip("/").rpartition("/")[2]
        return current_run().name(name, self._key, which or provider_name(self._given))

    @functools.cached_property
    def namespace(self) -> Object | None:
        """The platform's own namespace, made when the first object goes into it; None where it exists already."""
        if not self.platform.create_namespace:
            return None
        return once_per_run(lambda _: self._namespace(), ("namespace", self._key))

    def _namespace(self) -> Object:
        protection = self.platform.data_protection
        level = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "audit", "warn")}
        metadata: Manifest = {"name": self.platform.name, "labels": {**self.platform.labels, **level}}
        if owner := self._owner():
            metadata["annotations"] = {OWNER: owner}
        manifest = {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}
        if self.platform.renders:
            manifest = gitops.rendered(manifest, Step.BASE, protection)
        elif self.platform.adopt:
            manifest = forced(manifest)
        # Deleting a namespace deletes every volume claim in it, so it is data.
        protected = protection is not DataProtection.NONE and not self.platform.renders
        opts = pulumi.ResourceOptions(
            provider=self.provider, retain_on_delete=protection is DataProtection.RETAIN or None
        )
        shared = shared_options(self._component, protect=protected)
        namespace = Object(self._shared_name("namespace"), manifest, pulumi.ResourceOptions.merge(shared, opts))
        if self.platform.default_deny:
            self._close(namespace)
        return namespace

    def _close(self, namespace: Object) -> None:
        """Deny what no policy of a component allows."""
        policy = network.default_deny()
        policy["metadata"] |= {"namespace": self.platform.name, "labels": self.platform.labels}
        if self.platform.renders:
            policy = gitops.rendered(policy, Step.BASE, None)
        opts = pulumi.ResourceOptions(provider=self.provider, depends_on=[namespace, *self._before])
        opts = pulumi.ResourceOptions.merge(shared_options(self._component), opts)
        self._ask(policy, self._key, f'platform "{self.platform.name}"')
        Object(self._shared_name("default-deny"), policy, opts)

    def _owner(self) -> str | None:
        """The id of the state that the namespace belongs to; None where nothing is applied.

        The API server takes a namespace that exists for one to be changed. Two states that apply it give it different
        ids, and it refuses the second one, in a preview too: a field that another manager has set conflicts
        (Kubernetes reference, "Server-Side Apply").
        """
        state = None if self.platform.renders else own_state.resources()
        if state is None:
            return None
        for one in state.values():
            metadata: Manifest = one["outputs"].get("metadata") or {}
            annotations: dict[str, str] = metadata.get("annotations") or {}
            if one["type"] == "kubernetes:core/v1:Namespace" and metadata.get("name") == self.platform.name:
                return annotations.get(OWNER) or uuid.uuid4().hex
        self._refuse_foreign()
        return uuid.uuid4().hex

    def _refuse_foreign(self) -> None:
        """Raise RunError where another state has made the namespace, before the API server says so of it alone.

        Not where only the provider knows the cluster.
        """
        settings = pulumi.Config("kubernetes")
        if self._given or not has_engine() or settings.get("kubeconfig") or settings.get("cluster"):
            return
        context = self.platform.context or settings.get("context")
        if problem := foreign_namespace(dataclasses.replace(self.platform, context=context)):
            raise ArgumentError("cluster", [problem])

    def object(
        self,
        name: str,
        parent: pulumi.Resource,
        manifest: Manifest,
        *,
        data: bool = False,
        step: Step | None = None,
        depends_on: Sequence[pulumi.Resource] = (),
        timeout: str = "10m",
        **options: Any,
    ) -> Object:
        """Register a manifest; its metadata gains the namespace and labels, its pods what the platform settles.

        `data`: deleting it deletes what cannot be made again; it is protected as the platform says. `step`: when it is
        applied by whoever applies rendered files; None is by its kind. `timeout`: how long an update waits for it to
        be ready.
        """
        manifest = pod_settings.settled(manifest, self.platform, stores=step is Step.DATA)
        metadata = dict(manifest["metadata"])
        metadata["labels"] = {**self.platform.labels, **_of_component(parent), **metadata.get("labels", {})}
        metadata.setdefault("namespace", self.platform.name)
        needed = [*depends_on, *self._before, *([self.namespace] if self.namespace else [])]
        return self.register_raw(
            name,
            parent,
            written_out({**manifest, "metadata": metadata}),
            data=data,
            step=step,
            depends_on=needed,
            timeout=timeout,
            **options,
        )

    def apply(self, parent: pulumi.Resource, plan: Iterable[Planned], *, step: Step | None = None) -> dict[str, Object]:
        """Register what a component has planned, by logical name; `step` holds for what names none of its own."""
        made: dict[str, Object] = {}
        for one in plan:
            made[one.name] = self.object(
                one.name,
                parent,
                one.manifest,
                data=one.data,
                step=step if one.step is None else one.step,
                depends_on=[made[name] for name in one.after],
                timeout=one.timeout,
                **one.options,
            )
        return made

    def register_raw(
        self,
        name: str,
        parent: pulumi.Resource,
        manifest: Manifest,
        *,
        data: bool = False,
        step: Step | None = None,
        depends_on: Sequence[pulumi.Resource] = (),
        timeout: str = "10m",
        **options: Any,
    ) -> Object:
        """Register a manifest without labels or pod settings: an object of another namespace, or of none.

        Otherwise as `object`. Where manifests are rendered, it tells GitOps tools what the engine would be told.
        """
        self._ask(manifest, parent, subject(parent))
        if self.platform.adopt and not self.platform.renders:
            manifest = forced(manifest)
        protection = self.platform.data_protection if data else DataProtection.NONE
        if self.platform.renders:
            manifest = gitops.rendered(manifest, step, protection if data else None)
        opts = pulumi.ResourceOptions(
            parent=parent,
            provider=self.provider,
            depends_on=list(depends_on),
            # Where the platform does not ask for them, what the caller says of the component holds.
            protect=(protection is not DataProtection.NONE and not self.platform.renders) or None,
            retain_on_delete=protection is DataProtection.RETAIN or None,
            # Nothing is waited for when rendering.
            custom_timeouts=None
            if self.platform.renders
            else pulumi.CustomTimeouts(create=timeout, update=timeout, delete=timeout),
        )
        if options:
            opts = pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(**options))
        return Object(name, manifest, waiting(opts, parent))

    def _ask(self, manifest: Manifest, owner: Hashable, subject: str) -> None:
        """Ask for the names in the cluster that an object takes."""
        for name in names_of(manifest, place_key(self.platform, self._given)):
            current_run().asked.add(name, owner, subject)

    def generated_secret(
        self,
        name: str,
        parent: pulumi.Resource,
        *,
        key: str = "password",
        length: int = 32,
        fixed: Mapping[str, str] | None = None,
        secret_type: str = "Opaque",
        outlives_file: bool = True,
    ) -> SecretRef:
        """A Secret `name` with a random value under `key`, beside the `fixed` ones, which are no secrets.

        Applied: the value is a secret of the engine's state. Rendered: External Secrets generates it in the cluster,
        once, and it never leaves (a rendered Secret would be plaintext). `outlives_file`: GitOps tools keep it when
        its file goes. False: for a value that nothing needs then.
        """
        fixed = dict(fixed or {})
        if not self.platform.renders:
            password = random.RandomPassword(
                f"{name}-{key}", length=length, special=False, opts=pulumi.ResourceOptions(parent=parent)
            )
            secret = self._secret(name, parent, {**fixed, key: password.result}, secret_type)
            return SecretRef(secret_name=_name_of(secret, name), key=key, revision=revision_of({key: password.result}))
        generator = self.object(f"{name}-generator", parent, secrets.generator(name, length), data=outlives_file)
        # Both hold the password: without them the Secret goes, and another password comes.
        made_there = secrets.generated(name, key, fixed, secret_type)
        self.object(name, parent, made_there, data=outlives_file, depends_on=[generator])
        return SecretRef(secret_name=name, key=key)

    def given_secret(
        self,
        name: str,
        parent: pulumi.Resource,
        values: Mapping[str, pulumi.Input[str]],
        *,
        secret_type: str = "Opaque",
    ) -> dict[str, SecretRef]:
        """A Secret `name` with values that the caller gives.

        Rendered: an ExternalSecret that reads each from the platform's `secret_store` at `<namespace>/<name>`,
        property = key; the values given are then not used. The component's validation has asked for the store.
        """
        if self.platform.renders:
            self.object(name, parent, secrets.from_store(name, values, self.platform, secret_type))
            return {key: SecretRef(secret_name=name, key=key) for key in values}
        secret = self._secret(name, parent, values, secret_type)
        # One for the whole Secret, because each costs tens of milliseconds.
        digits = revision_of(values)
        return {key: SecretRef(secret_name=_name_of(secret, name), key=key, revision=digits) for key in values}

    def _secret(
        self, name: str, parent: pulumi.Resource, values: Mapping[str, pulumi.Input[str]], secret_type: str
    ) -> Object:
        content = pulumi.Output.secret({key: values[key] for key in sorted(values)})
        manifest = secrets.applied(name, content, secret_type)
        # The provider copies stringData, encoded, into `data`.
        return self.object(name, parent, manifest, additional_secret_outputs=["stringData", "data"])


def _of_component(parent: pulumi.Resource) -> dict[str, str]:
    """The recommended labels of an object whose manifest has none of its own: after the component that makes it."""
    kind = parent.pulumi_resource_type.rpartition(":")[2]
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "-", kind).lower()
    called = getattr(parent, "physical_name", parent.pulumi_resource_name)
    return {"app.kubernetes.io/name": called, "app.kubernetes.io/component": words}


def _name_of(secret: Object, name: str) -> pulumi.Output[str]:
    """The name as an output of the object, so that what uses it waits for the object."""
    return secret.urn.apply(lambda _: name)


def cluster(platform: Platform, component: pulumi.Resource | None = None) -> Cluster:
    """The namespace of `platform` in this run, made at the first call, through the provider that `component` was given
    where the platform names no context and no directory of its own."""
    own = platform.context is not None or platform.renders
    given = None if own or component is None else component.get_provider("kubernetes:index:Any")
    return once_per_run(
        lambda _: Cluster(platform, component, given), ("cluster", platform, platform_key(platform, given))
    )
