"""Water: a surface in tiles that repeat without a seam in space and in time. Ocean, river, pool, rain."""
