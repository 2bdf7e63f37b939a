"""An episode as it was played, with what the hierarchy wanted: as numbers, as a video, in the terminal."""
