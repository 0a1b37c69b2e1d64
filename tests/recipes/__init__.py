"""Tests of the recipes of the shipped packages."""
