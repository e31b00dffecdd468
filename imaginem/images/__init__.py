"""Photos as bytes: fetching them safely, decoding them, reading their Exif metadata."""
