"""Photos as bytes: fetching them safely, decoding them, reading what the file tells of itself."""
