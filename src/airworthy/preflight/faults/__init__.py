"""How each fault looks to a tool's caller, and to whoever asks a model; knows no guard and no agent."""
