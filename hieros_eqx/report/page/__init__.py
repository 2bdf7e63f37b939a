"""The page of a run, or of several: what it is made of, from series to sections to one HTML file."""
