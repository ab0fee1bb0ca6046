"""What the library costs: the same resources by tierstack and by a program written by hand."""
