"""Cases made of recorded tasks: how one is read out of a record, kept, and made as small as it can be."""
