"""What steps find that have no place of their own on the pages: read by its model alone.

`fields` reads a model, `values` an output, `index` says what photos are found by, and
`conditions` what may be asked for.
"""
