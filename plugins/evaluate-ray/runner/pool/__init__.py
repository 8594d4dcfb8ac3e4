"""A pool of workers on a Ray cluster, for trials that are shorter than the start of a job."""
