"""What runs the networks: onnxruntime or OpenVINO, whichever suits network and processor."""
