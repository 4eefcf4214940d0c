"""What runs inside kernels."""
