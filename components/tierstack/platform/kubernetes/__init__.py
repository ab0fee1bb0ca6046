"""A namespace of a Kubernetes cluster, and the manifests of what components put into it.

`cluster` registers objects with the engine. Everything else is pure, plain values in and manifests out, with one module
for each thing that several components write:

- `manifest`: one object, and what the engine is told about waiting for it
- `plan`: the objects of a component, in order
- `workload`, `probes`, `volumes`, `placement`: what runs, how it is asked, what it sees, where it runs
- `network`, `services`, `routes`: who may speak with whom, and by which name
- `config`, `claim`, `budget`, `secrets`, `cert_manager`: the objects around a workload
- `quantities`: memory and processors as the API server writes them
- `operators`: the namespaces of the operators and of the proxy

`gitops`, `pod_settings` and `defaults` finish every manifest; components do not call them, except to name a `Step`.
"""
