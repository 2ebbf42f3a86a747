"""The demo: a made-up year, taken in and decided day by day through the product's own doors."""
