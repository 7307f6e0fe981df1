"""What may the application do in the store's own database? Its tables, writes and local steps.

The SQLite journal uses these functions on its file, the in-memory journal on a database in
memory. Nothing here knows a run, a lease or a batch.
"""
