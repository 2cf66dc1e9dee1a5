/* SPDX-License-Identifier: Apache-2.0 */
/* What a model and a store hold, as texts that are the same where the store is right. */
#ifndef WA_TESTS_STORE_IMAGE_H
#define WA_TESTS_STORE_IMAGE_H

#include "store_model.h"

/* What a store holds after these records, as text; those whose `lost` is set are as if they had
 * never been. `lost` may be NULL. */
const char *model_image(const model_t *m, int count, const char *lost, apr_pool_t *p);

/* The same text made by reading the store in every way there is; fails the test where two ways
 * disagree. */
const char *store_image(const model_t *m, fixture_t *f, apr_pool_t *p);

/* The text of everything a store can be asked, or NULL and its status when it answers with an
 * error. */
const char *store_image_try(const model_t *m, fixture_t *f, apr_status_t *prv, apr_pool_t *p);

#endif
