"""Atlas: what every layer of a network dreams on one picture, as a sheet and a page. A picture in, two files out."""
