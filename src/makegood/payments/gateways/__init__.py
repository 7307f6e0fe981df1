"""The adapters: one module for each company that moves money, and the sandbox."""
