"""Probes: does an outside system answer, and let us in?"""
