"""The documentation as a static site (`make docs`), and what holds its pages together: links and blocks that run."""
