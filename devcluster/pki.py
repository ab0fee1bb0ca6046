"""The certificates of a cluster: one CA, and a pair for each of its programs."""

from pathlib import Path

from devcluster.machine import HOST, run

DAYS = "30"


class Pki:
    """A folder of certificates and the kubeconfigs that use them."""

    def __init__(self, folder: Path, server: str) -> None:
        self.folder = folder
        self.server = server
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    def file(self, name: str) -> str:
        """Path of `ca.crt` and the like."""
        return str(self.folder / name)

    def make(self, nodes: int) -> None:
        """Everything that is not there yet."""
        if not (self.folder / "ca.crt").exists():
            run(
                *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", DAYS, "-subj", "/CN=kubernetes"),
                *("-keyout", self.file("ca.key"), "-out", self.file("ca.crt")),
            )
            run("openssl", "genrsa", "-out", self.file("sa.key"), "2048")
        self._pair(
            "apiserver",
            "/CN=kube-apiserver",
            "DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc,DNS:localhost,IP:127.0.0.1,IP:10.96.0.1,"
            f"IP:{HOST}",
        )
        self._pair("admin", "/O=system:masters/CN=admin")
        self._pair("controllers", "/CN=system:kube-controller-manager")
        self._pair("scheduler", "/CN=system:kube-scheduler")
        self._pair("proxy", "/CN=system:kube-proxy")
        self._pair("front-proxy", "/CN=front-proxy-client")
        for number in range(1, nodes + 1):
            name = f"node{number}"
            self._pair(name, f"/O=system:nodes/CN=system:node:{name}", f"DNS:{name},IP:{HOST}")

    def kubeconfig(self, name: str) -> Path:
        """The kubeconfig of `name`, made if needed; readable by its owner only."""
        file = self.folder / f"{name}.kubeconfig"
        if not file.exists():
            file.touch(mode=0o600)
            file.write_text(
                "apiVersion: v1\nkind: Config\ncurrent-context: tierstack\n"
                f"clusters: [{{name: tierstack, cluster: {{server: '{self.server}', "
                f"certificate-authority: '{self.file('ca.crt')}'}}}}]\n"
                f"users: [{{name: {name}, user: {{client-certificate: '{self.file(f'{name}.crt')}', "
                f"client-key: '{self.file(f'{name}.key')}'}}}}]\n"
                f"contexts: [{{name: tierstack, context: {{cluster: tierstack, user: {name}}}}}]\n"
            )
        return file

    def _pair(self, name: str, subject: str, names: str = "") -> None:
        if (self.folder / f"{name}.crt").exists():
            return
        request, extensions = self.file(f"{name}.csr"), self.folder / f"{name}.ext"
        extensions.write_text(f"subjectAltName={names or f'DNS:{name}'}\nextendedKeyUsage=serverAuth,clientAuth\n")
        run(
            *("openssl", "req", "-newkey", "rsa:2048", "-nodes", "-subj", subject),
            *("-keyout", self.file(f"{name}.key"), "-out", request),
        )
        run(
            *("openssl", "x509", "-req", "-in", request, "-CA", self.file("ca.crt"), "-CAkey", self.file("ca.key")),
            *("-CAcreateserial", "-days", DAYS, "-out", self.file(f"{name}.crt"), "-extfile", str(extensions)),
        )
