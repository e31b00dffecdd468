"""What engines return for a photo; everybody else imports it from `imaginem.outputs`.

Coordinates are pixels of the photo, turned as its Exif says. Scores and confidences are from 0 to
1. None means that the engine does not tell; a confidence that can't be None is 0.0 then. `page`
says on which page of the photo's file something is, from 1 on; None if the file has one. `pages`
says how many it has.
"""
