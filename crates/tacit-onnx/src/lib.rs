//! tacit-onnx
