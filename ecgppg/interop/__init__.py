"""What others' tools read: the same data in the form of a shared standard."""
