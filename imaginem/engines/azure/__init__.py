"""The Azure engines: Computer Vision and Face, called over HTTP through their SDKs."""
