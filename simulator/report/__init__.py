"""What people and other programs read: tables, plots, HTML; the only place that writes results."""
