"""A DICOM file -> its frames as grey Images; imported only once such a file is met."""
