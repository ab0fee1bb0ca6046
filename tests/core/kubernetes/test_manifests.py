"""The building blocks of manifests: what they leave out, and what they must not."""

from typing import Any

import pytest

from tierstack.platform import Kubernetes
from tierstack.platform.kubernetes import jobs, network, placement, probes, volumes, workload
from tierstack.platform.kubernetes.budget import disruption_budget
from tierstack.platform.kubernetes.claim import claim_spec
from tierstack.platform.kubernetes.config import config_map, name_of
from tierstack.platform.kubernetes.manifest import manifest
from tierstack.platform.kubernetes.services import service_port

pytestmark = pytest.mark.pure
LABELS = {"app": "web"}


def test_what_the_api_server_would_drop_is_not_written() -> None:
    bare = manifest("v1", "ConfigMap", "a", labels={}, annotations={}, data={"x": "1"})
    assert bare == {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"x": "1"}}
    assert manifest("v1", "Service", "a", {})["spec"] == {}, "an empty spec is one"


def test_a_manifest_shares_nothing_with_what_it_was_made_from() -> None:
    labels = dict(LABELS)
    made = manifest("v1", "Service", "a", labels=labels)
    made["metadata"]["labels"]["more"] = "1"
    assert labels == LABELS


class TestConfigMap:
    def test_is_named_by_its_content_whatever_the_order(self) -> None:
        one, same = config_map("web", {"a": "1", "b": "2"}), config_map("web", {"b": "2", "a": "1"})
        assert name_of(one) == name_of(same)
        assert name_of(one).startswith("web-")

    @pytest.mark.parametrize("files", [{"a": "2"}, {"b": "1"}, {"a": "1", "b": ""}], ids=str)
    def test_another_content_is_another_object(self, files: dict[str, str]) -> None:
        assert name_of(config_map("web", files)) != name_of(config_map("web", {"a": "1"}))

    def test_nobody_changes_it_under_a_running_pod(self) -> None:
        assert config_map("web", {"a": "1"})["immutable"] is True


class TestNetwork:
    @pytest.mark.parametrize(
        ("rules", "types"),
        [
            ({"ingress": []}, ["Ingress"]),
            ({"egress": []}, ["Egress"]),
            ({"ingress": [], "egress": [network.DNS]}, ["Ingress", "Egress"]),
        ],
        ids=str,
    )
    def test_an_empty_list_of_rules_allows_nothing(self, rules: dict[str, Any], types: list[str]) -> None:
        spec = network.policy("web", LABELS, **rules)["spec"]
        assert spec["policyTypes"] == types
        assert [key for key in ("ingress", "egress") if key in spec] == [key for key in rules if rules[key]]

    def test_nothing_selected_is_every_pod(self) -> None:
        assert network.default_deny()["spec"]["podSelector"] == {}

    def test_no_port_given_is_every_port(self) -> None:
        assert network.ingress([network.NEIGHBOURS]) == {"from": [{"podSelector": {}}]}
        assert network.egress([network.CLUSTER], 443)["ports"] == [{"protocol": "TCP", "port": 443}]


def test_what_a_probe_does_not_say_is_the_kubelet_s() -> None:
    assert probes.probe(probes.tcp(80), 5) == {"tcpSocket": {"port": 80}, "periodSeconds": 5}
    asked = probes.probe(probes.http("/up", "http", {"Host": "a.example"}), 5, timeout=4, failures=3, delay=1)
    assert asked["httpGet"]["httpHeaders"] == [{"name": "Host", "value": "a.example"}]
    assert (asked["timeoutSeconds"], asked["failureThreshold"], asked["initialDelaySeconds"]) == (4, 3, 1)
    assert "httpHeaders" not in probes.http("/up", 80)["httpGet"]


class TestWorkload:
    def pod(self, **fields: Any) -> dict[str, Any]:
        container = workload.container("web", "image", ["run"], {})
        return workload.pod(LABELS, [container], security=workload.user(10001), **fields)

    def test_its_pods_are_restricted(self) -> None:
        spec = self.pod()["spec"]
        (container,) = spec["containers"]
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert container["securityContext"]["allowPrivilegeEscalation"] is False
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
        assert container["securityContext"]["readOnlyRootFilesystem"] is True

    @pytest.mark.parametrize(
        ("given", "group"), [({"uid": 5}, 5), ({"uid": 5, "gid": 6}, 6)], ids=["of the user", "given"]
    )
    def test_volumes_belong_to_the_group(self, given: dict[str, int], group: int) -> None:
        context = workload.user(**given)
        assert (context["runAsUser"], context["runAsGroup"], context["fsGroup"]) == (5, group, group)

    @pytest.mark.parametrize("replicas", [None, 0, 2])
    def test_an_autoscaler_owns_its_field_and_zero_is_a_number(self, replicas: int | None) -> None:
        made = workload.deployment(
            "web", LABELS, self.pod(), strategy=workload.rolling(unavailable=0, surge=1), replicas=replicas
        )
        assert made["spec"].get("replicas") == replicas

    def test_a_job_ends_and_is_made_anew_after_a_failure(self) -> None:
        template = self.pod()
        made = jobs.job("migrate", template, Kubernetes(name="shop"), retries=4, deadline_seconds=60)
        assert made["spec"]["template"]["spec"]["restartPolicy"] == "Never"
        assert made["metadata"]["annotations"] == {"pulumi.com/replaceUnready": "true"}
        assert "restartPolicy" not in template["spec"], "the caller's template is not changed"

    def test_each_pod_of_a_stateful_set_has_its_claims(self) -> None:
        made = workload.stateful_set(
            "db", LABELS, self.pod(), replicas=3, claims={"data": claim_spec(2048, None)}, minReadySeconds=10
        )["spec"]
        assert made["serviceName"] == "db"
        assert made["minReadySeconds"] == 10
        (template,) = made["volumeClaimTemplates"]
        assert template["metadata"]["name"] == "data"
        assert template["spec"]["resources"]["requests"]["storage"] == "2Ti", "as the API server writes it back"


@pytest.mark.parametrize(("storage_class", "named"), [(None, False), ("fast", True)])
def test_a_claim_names_no_class_where_the_cluster_s_default_is_meant(storage_class: str | None, named: bool) -> None:
    assert ("storageClassName" in claim_spec(1, storage_class)) is named


def test_unready_pods_hold_up_a_drain_unless_it_is_said() -> None:
    assert "unhealthyPodEvictionPolicy" not in disruption_budget("web", LABELS)["spec"]
    assert disruption_budget("web", LABELS, unready_too=True)["spec"]["unhealthyPodEvictionPolicy"] == "AlwaysAllow"


def test_pods_are_spread_over_zones_and_nodes() -> None:
    keys = [one["topologyKey"] for one in placement.spread(LABELS)]
    assert keys == ["topology.kubernetes.io/zone", "kubernetes.io/hostname"]
    assert all("matchLabelKeys" not in one for one in placement.spread(LABELS))
    (each,) = placement.spread(LABELS, [placement.ZONE], each_release=True)
    assert each["matchLabelKeys"] == ["pod-template-hash"]


def test_a_secret_shows_a_pod_only_the_keys_that_it_needs() -> None:
    source = volumes.secret("ca", "db-ca", ["ca.crt"])["secret"]
    assert source["items"] == [{"key": "ca.crt", "path": "ca.crt"}]
    assert volumes.secret("key", "db-tls", ["tls.key"], mode=0o440)["secret"]["defaultMode"] == 0o440


def test_a_service_port_leads_to_its_own_number_unless_another_is_given() -> None:
    assert "targetPort" not in service_port("redis", 6379)
    assert service_port("http", 80, "http")["targetPort"] == "http"
