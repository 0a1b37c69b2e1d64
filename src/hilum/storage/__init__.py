"""BYTES: kept images and cached answers; knows no record, no caller and no model."""
