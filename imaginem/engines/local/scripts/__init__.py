"""Reads lines of text in scripts that PP-OCR does not know, with Tesseract in raw-line mode."""
