"""Nets trained in both frameworks: clean ports stay together, planted slips are found in their phase and step."""
