"""MAY WE ANSWER: an image (and later its features) in, reasons for refusal out."""
