"""What a plan changes, in a form that a reviewer understands: model, risks, sentences, and three forms of a report.

Pure: it takes what `pulumi preview --json` printed, or manifests, as values, and imports nothing that runs.
"""
