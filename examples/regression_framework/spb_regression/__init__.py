"""Linear regression for snakepit-bridge.

`adapter` is what workers load, `linear` the mathematics.
"""
