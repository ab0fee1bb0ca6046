"""What a name answers, in the zone and beyond it."""
