// Package s3 is Amazon S3 as far as deployments, large bodies and triggers use it: buckets, objects and multipart uploads over S3's REST protocol, by
// path and by virtual host, signed or presigned. Objects are streamed to and from files and outlive the program. It has no versions, no access control
// and no storage classes; configurations other than notifications are kept and given back without effect.
package s3
