"""What follows from replays: at what price two models cost the same, and how totals hang on costs."""
