"""The protocols: each reads a request into the chat request that says the same, and writes down what was spoken."""
