"""Where files lie: a folder, an archive, a bucket, a hub -> a tree of paths that can be read; knows no label."""
