"""How does an engine keep looking for what there is to do? Its loops, and how they end."""
