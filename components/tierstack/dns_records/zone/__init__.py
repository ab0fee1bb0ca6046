"""A zone as a whole: composed, judged, and told in words."""
