"""What models there are on this box: bundles kept, checked and measured, which of them serves which role, and what fits."""
