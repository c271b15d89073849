"""The terminal under the app: bytes in, cells out."""
