"""Parameters go from one net to another.

The way through this folder: `placing` aligns two nets (by the diff's own rules, graph and aligner) and says for each
parameter of the candidate what it is made of; `choices` settles what structure leaves open, `groups` finds merged
projections. The answer is a `WeightMap` (`weight_map`), made of `steps`, which `map_file` writes and reads. `loading`
puts it into a live net, `converting` into a file, `differences` says what differs.
"""
